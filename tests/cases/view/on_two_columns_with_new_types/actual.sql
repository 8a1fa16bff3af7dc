CREATE TABLE public.t (a varchar(5), b varchar(5));
CREATE FUNCTION public.of_a(x text) RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT t.b FROM public.t WHERE t.a = x; END;
CREATE VIEW public.v AS SELECT public.of_a(a) AS b FROM public.t;
