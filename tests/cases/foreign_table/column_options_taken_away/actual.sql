CREATE FOREIGN DATA WRAPPER w;
CREATE SERVER s FOREIGN DATA WRAPPER w;
CREATE FOREIGN TABLE public.t (a integer, b integer, c integer) SERVER s;
ALTER FOREIGN TABLE public.t ALTER a SET (n_distinct = 5), ALTER b SET (n_distinct = 4), ALTER c SET (n_distinct_inherited = 3);
