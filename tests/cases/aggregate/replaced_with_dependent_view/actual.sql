CREATE FUNCTION public.add(a int, b int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a + b';
CREATE AGGREGATE public.total(int) (sfunc = public.add, stype = int, initcond = '0');
CREATE AGGREGATE public.most(int) (sfunc = int4larger, stype = int);
CREATE VIEW public.totals AS SELECT public.total(n) AS total, public.most(n)::bigint AS most FROM generate_series(1, 3) AS n;
