CREATE TABLE t (b integer, c text);
CREATE TABLE u (id integer);
CREATE TABLE v (id text);
INSERT INTO t VALUES (1, 'x');
