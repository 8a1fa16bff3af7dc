CREATE FUNCTION public.same(a int, b int) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT a = b';
CREATE OPERATOR public.=== (FUNCTION = public.same, LEFTARG = int, RIGHTARG = int);
CREATE OPERATOR public.==== (FUNCTION = public.same, LEFTARG = int, RIGHTARG = int);
CREATE TABLE public.t (a int, CHECK (a OPERATOR(public.====) a));
