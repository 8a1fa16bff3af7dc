CREATE TABLE t (id int PRIMARY KEY, a int NOT NULL, b int);
CREATE INDEX one ON t (a) WHERE a IS NOT NULL;
-- passing
CREATE TABLE t (id int PRIMARY KEY, a int NOT NULL, b int);
CREATE INDEX one ON t (a) WHERE b IS NOT NULL;
CREATE INDEX two ON t (b) WHERE a > 0;
CREATE INDEX three ON t (b) WHERE a IS NOT NULL OR b > 0;
