-- It finds indexes of a table with the same definition but for the name.
CREATE TABLE blog (id int PRIMARY KEY, title text);
CREATE INDEX one ON blog (title);
CREATE INDEX two ON blog (title);
