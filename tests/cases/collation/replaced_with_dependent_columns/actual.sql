CREATE COLLATION order_of_ours (locale = 'C');
CREATE TABLE words (word text COLLATE order_of_ours PRIMARY KEY, other text DEFAULT ('x' COLLATE order_of_ours));
CREATE INDEX words_other ON words (other COLLATE order_of_ours);
CREATE VIEW sorted AS SELECT word FROM words ORDER BY word;
INSERT INTO words VALUES ('a');
