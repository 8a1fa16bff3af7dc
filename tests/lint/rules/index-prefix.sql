CREATE TABLE t (id int PRIMARY KEY, a int, b int);
CREATE INDEX one ON t (a);
CREATE INDEX two ON t (a, b DESC);
-- passing
CREATE TABLE t (id int PRIMARY KEY, a int, b int, c int, d text);
CREATE UNIQUE INDEX one ON t (a);
CREATE INDEX two ON t (a, b DESC);
CREATE INDEX three ON t (b) WHERE a > 0;
CREATE INDEX four ON t (b, c);
CREATE INDEX five ON t (c) INCLUDE (d);
CREATE INDEX six ON t (c, a);
CREATE INDEX seven ON t (d);
CREATE INDEX eight ON t (d text_pattern_ops, a);
CREATE INDEX nine ON t USING hash (c);
