CREATE TABLE t (id int PRIMARY KEY, s text);
INSERT INTO t SELECT n, repeat('x', 1000) FROM generate_series(1, 20000) AS n;
DELETE FROM t WHERE id % 10 > 0;
ANALYZE t;
-- passing
CREATE TABLE t (id int PRIMARY KEY, s text);
INSERT INTO t SELECT n, repeat('x', 1000) FROM generate_series(1, 11000) AS n;
ANALYZE t;
