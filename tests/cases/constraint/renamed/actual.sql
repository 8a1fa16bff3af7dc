CREATE TABLE t (id int CONSTRAINT old_key PRIMARY KEY, n int CONSTRAINT old_check CHECK (n > 0), name text);
CREATE INDEX old_index ON t (n);
CREATE TABLE c (t_id int CONSTRAINT c_t REFERENCES t);
CREATE VIEW counted AS SELECT id, name, count(*) AS n FROM t GROUP BY id;
CREATE TABLE u (a int CONSTRAINT u_old PRIMARY KEY, b int NOT NULL);
