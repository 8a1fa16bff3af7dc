CREATE EXTENSION vector;
CREATE TABLE items (id int PRIMARY KEY, embedding vector(3) DEFAULT '[1,2,3]');
CREATE VIEW lengths AS SELECT id, vector_dims(embedding) AS dims FROM items;
INSERT INTO items VALUES (1);
