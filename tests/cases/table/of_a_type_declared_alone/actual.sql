CREATE TYPE there AS (a int, b text COLLATE "C");
CREATE TYPE grows AS (a int, gone int);
CREATE TABLE grown OF grows;
CREATE TABLE ordinary (a int, b text COLLATE "C");
