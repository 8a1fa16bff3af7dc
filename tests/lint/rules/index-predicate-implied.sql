-- found: one, two, three, prefix
CREATE TABLE t (id int PRIMARY KEY, a int NOT NULL, b int, "C d" int NOT NULL);
CREATE INDEX one ON t (a) WHERE a IS NOT NULL;
CREATE INDEX two ON t (b) WHERE a IS NOT NULL AND b > 0;
CREATE INDEX three ON t (b) WHERE b > 0 AND "C d" IS NOT NULL AND b IS NOT NULL AND a IS NOT NULL;
CREATE TABLE other (id int PRIMARY KEY, a int NOT NULL, b int);
CREATE INDEX prefix ON other (a) WHERE a IS NOT NULL;
CREATE INDEX longer ON other (a, b);
-- passing
CREATE TABLE t (id int PRIMARY KEY, a int NOT NULL, b int);
CREATE INDEX one ON t (a) WHERE b IS NOT NULL;
CREATE INDEX two ON t (b) WHERE a > 0;
CREATE INDEX three ON t (b) WHERE a IS NOT NULL OR b > 0;
