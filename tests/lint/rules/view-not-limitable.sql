CREATE TABLE t (id int PRIMARY KEY, name text);
CREATE TABLE m (id int PRIMARY KEY, t_id int REFERENCES t);
CREATE INDEX ON m (t_id);
CREATE VIEW v AS SELECT t.id, t.name, count(m.id) AS n FROM t LEFT JOIN m ON m.t_id = t.id GROUP BY t.id;
-- passing
CREATE TABLE t (id int PRIMARY KEY, name text);
CREATE TABLE m (id int PRIMARY KEY, t_id int REFERENCES t);
CREATE INDEX ON m (t_id);
CREATE VIEW v AS SELECT t.id, t.name, s.n FROM t
  CROSS JOIN LATERAL (SELECT count(*) AS n FROM m WHERE m.t_id = t.id) AS s;
CREATE VIEW summary AS SELECT t.name, count(*) FROM t JOIN m ON m.t_id = t.id GROUP BY t.name;
CREATE VIEW counted AS SELECT t_id, count(*) FROM m GROUP BY t_id;
