CREATE TABLE t (id int PRIMARY KEY, a int, b text);
CREATE INDEX one ON t (a, lower(b)) WHERE a > 0;
CREATE INDEX two ON t (a, lower(b)) WHERE a > 0;
CREATE INDEX three ON t (id);
-- passing
CREATE TABLE t (id int PRIMARY KEY, a int, b text);
CREATE INDEX one ON t (a, lower(b)) WHERE a > 0;
CREATE INDEX two ON t (a, upper(b)) WHERE a > 0;
CREATE INDEX three ON t (a, lower(b)) WHERE a > 1;
CREATE UNIQUE INDEX four ON t (a, lower(b)) WHERE a > 2;
CREATE INDEX five ON t (b text_pattern_ops);
CREATE INDEX six ON t (b);
