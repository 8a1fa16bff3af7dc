-- It finds a view that requests can read, and that has no security_invoker.
CREATE TABLE orders (id int PRIMARY KEY);
CREATE VIEW order_items AS SELECT id FROM orders;
GRANT SELECT ON order_items TO anon;
