CREATE TABLE t (a integer, b varchar(10), c numeric(10, 2));
CREATE VIEW v AS SELECT a, b, c FROM t;
