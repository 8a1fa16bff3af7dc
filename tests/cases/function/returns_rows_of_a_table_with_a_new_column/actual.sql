CREATE TABLE public.t (a int, b text);
CREATE FUNCTION public.rows_of_t() RETURNS SETOF public.t LANGUAGE plpgsql AS 'BEGIN RETURN QUERY SELECT * FROM t; END';
CREATE VIEW public.v AS SELECT a FROM public.rows_of_t();
