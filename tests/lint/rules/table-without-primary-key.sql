-- found: t, by_index, by_constraint, nullable, backwards, patterns, parts, unique_parts
CREATE TABLE t (id int);
CREATE TABLE by_index (a int NOT NULL, b int NOT NULL);
CREATE UNIQUE INDEX "By pair" ON by_index (a, b);
CREATE TABLE by_constraint (a int NOT NULL UNIQUE);
CREATE TABLE nullable (a int UNIQUE);
CREATE TABLE backwards (a int NOT NULL);
CREATE UNIQUE INDEX ON backwards (a DESC);
CREATE TABLE patterns (a text NOT NULL);
CREATE UNIQUE INDEX ON patterns (a text_pattern_ops);
CREATE TABLE parts (at date, id int) PARTITION BY RANGE (at);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE unique_parts (at date NOT NULL, UNIQUE (at)) PARTITION BY RANGE (at);
-- passing
CREATE TABLE t (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE p PARTITION OF t FOR VALUES FROM (1) TO (2);
