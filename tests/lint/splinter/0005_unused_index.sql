-- It finds an index that no plan has used.
CREATE TABLE t (id int PRIMARY KEY, a int);
CREATE INDEX never ON t (a);
