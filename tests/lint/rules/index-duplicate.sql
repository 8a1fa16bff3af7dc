-- found: two, three, u_a_key1, v_a_key1, w_a_key
CREATE TABLE t (id int PRIMARY KEY, a int, b text);
CREATE INDEX one ON t (a, lower(b)) WHERE a > 0;
CREATE INDEX two ON t (a, lower(b)) WHERE a > 0;
CREATE INDEX three ON t (id);
CREATE TABLE u (id int PRIMARY KEY, a int UNIQUE);
ALTER TABLE u ADD UNIQUE (a);
CREATE TABLE v (id int PRIMARY KEY, a int UNIQUE);
CREATE TABLE r (id int PRIMARY KEY, a int REFERENCES v (a));
ALTER TABLE v ADD UNIQUE (a);
CREATE TABLE w (id int PRIMARY KEY, a int NOT NULL UNIQUE);
ALTER TABLE w ADD UNIQUE (a);
ALTER TABLE w REPLICA IDENTITY USING INDEX w_a_key1;
-- passing
CREATE TABLE t (id int PRIMARY KEY, a int, b text);
CREATE INDEX one ON t (a, lower(b)) WHERE a > 0;
CREATE INDEX two ON t (a, upper(b)) WHERE a > 0;
CREATE INDEX three ON t (a, lower(b)) WHERE a > 1;
CREATE UNIQUE INDEX four ON t (a, lower(b)) WHERE a > 2;
CREATE INDEX five ON t (b text_pattern_ops);
CREATE INDEX six ON t (b);
CREATE TABLE u (id int PRIMARY KEY, a int UNIQUE);
ALTER TABLE u ADD UNIQUE (a) DEFERRABLE;
CREATE TABLE v (id int PRIMARY KEY, a int UNIQUE);
ALTER TABLE v ADD UNIQUE NULLS NOT DISTINCT (a);
CREATE UNIQUE INDEX seven ON v (a) NULLS NOT DISTINCT WHERE a > 0;
CREATE UNIQUE INDEX eight ON v (a) WHERE a > 0;
