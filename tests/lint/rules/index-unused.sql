CREATE TABLE t (id int PRIMARY KEY, a int);
CREATE INDEX one ON t (a);
-- passing
CREATE TABLE t (id int PRIMARY KEY, a int UNIQUE);
