CREATE TABLE orders (id int PRIMARY KEY, customer int, total numeric);
CREATE TABLE customers (id int PRIMARY KEY, name text);
