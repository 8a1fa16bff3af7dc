-- found: at, days
CREATE TABLE t (id int PRIMARY KEY, at timestamp(3), days timestamp[]);
-- passing
CREATE TABLE t (id int PRIMARY KEY, at timestamptz, day date);
