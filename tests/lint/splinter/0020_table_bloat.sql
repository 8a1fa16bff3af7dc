-- It finds a table most of whose space dead rows have left.
CREATE TABLE t (id int PRIMARY KEY, s text);
INSERT INTO t SELECT n, repeat('x', 1000) FROM generate_series(1, 40000) AS n;
DELETE FROM t WHERE id % 20 > 0;
ANALYZE t;
