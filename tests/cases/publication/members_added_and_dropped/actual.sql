CREATE SCHEMA app;
CREATE TABLE orders (id int PRIMARY KEY, total numeric);
CREATE TABLE customers (id int PRIMARY KEY, name text);
CREATE TABLE gone (id int PRIMARY KEY);
CREATE PUBLICATION warehouse FOR TABLE orders (id), gone;
CREATE PUBLICATION whole FOR TABLES IN SCHEMA app WITH (publish = 'insert');
