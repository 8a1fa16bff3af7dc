-- found: t_a_b_fkey
CREATE TABLE o (a int, b int, PRIMARY KEY (a, b));
CREATE TABLE t (id int PRIMARY KEY, a int, b int, FOREIGN KEY (a, b) REFERENCES o);
CREATE INDEX ON t (a);
-- passing
CREATE TABLE o (a int, b int, PRIMARY KEY (a, b));
CREATE TABLE t (id int PRIMARY KEY, a int, b int, c int, FOREIGN KEY (a, b) REFERENCES o);
CREATE INDEX ON t (b, a, c);
CREATE TABLE s (id int PRIMARY KEY REFERENCES t, t_id int REFERENCES t);
CREATE INDEX ON s (t_id) WHERE t_id IS NOT NULL;
CREATE TABLE post (id int PRIMARY KEY, tenant int, UNIQUE (id, tenant));
CREATE TABLE comment (id int PRIMARY KEY, post int, tenant int,
  FOREIGN KEY (post, tenant) REFERENCES post (id, tenant));
CREATE INDEX ON comment (post, id);
