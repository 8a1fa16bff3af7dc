CREATE TABLE sales (id integer PRIMARY KEY, note text);
CREATE MATERIALIZED VIEW filled WITH (fillfactor = 70, autovacuum_enabled = false) AS SELECT id, note FROM sales;
CREATE MATERIALIZED VIEW empty AS SELECT id FROM sales WITH NO DATA;
CREATE MATERIALIZED VIEW emptied AS SELECT id FROM sales;
CREATE MATERIALIZED VIEW gone AS SELECT id FROM sales;
