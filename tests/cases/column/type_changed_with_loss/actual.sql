CREATE TYPE public.span AS (i interval, n int);
CREATE TABLE public.t (id int, i interval, j interval, f float8, g float8, m numeric, d text, s public.span);
