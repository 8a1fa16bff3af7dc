CREATE TABLE t (id integer, a integer, CONSTRAINT t_key PRIMARY KEY (id));
CREATE VIEW counted AS SELECT id, a, count(*) AS n FROM t GROUP BY id;
COMMENT ON VIEW counted IS 'stands on the key';
