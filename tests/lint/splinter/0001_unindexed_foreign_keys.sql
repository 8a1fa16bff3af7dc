-- It finds a foreign key whose columns no index of its table begins with.
CREATE TABLE customer (id int PRIMARY KEY);
CREATE TABLE purchase (id int PRIMARY KEY, customer_id int REFERENCES customer);
