CREATE TYPE point_of_ours AS (x int, y text);
CREATE TABLE points OF point_of_ours (PRIMARY KEY (x));
INSERT INTO points VALUES (1, '2');
CREATE TYPE growing AS (a int);
CREATE TABLE grown OF growing;
INSERT INTO grown VALUES (1);
