CREATE TABLE sales (id integer PRIMARY KEY, region text, amount numeric);
CREATE MATERIALIZED VIEW by_region AS SELECT region, sum(amount) AS total FROM sales GROUP BY region;
CREATE UNIQUE INDEX by_region_key ON by_region (region);
COMMENT ON MATERIALIZED VIEW by_region IS 'kept';
COMMENT ON COLUMN by_region.total IS 'kept too';
GRANT SELECT ON by_region TO PUBLIC;
CREATE MATERIALIZED VIEW grand_total AS SELECT sum(total) AS total FROM by_region WITH NO DATA;
COMMENT ON MATERIALIZED VIEW grand_total IS 'was never filled, and is not now';
CREATE VIEW report AS SELECT total FROM grand_total;
