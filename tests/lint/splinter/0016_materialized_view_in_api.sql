-- It finds a materialized view that anon or authenticated may read.
CREATE TABLE t (id int PRIMARY KEY);
CREATE MATERIALIZED VIEW totals AS SELECT count(*) AS n FROM t;
GRANT SELECT ON totals TO authenticated;
