CREATE TYPE public.c AS (a int);
CREATE FUNCTION public.f(x public.c) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT ($1).a';
CREATE CAST (public.c AS int) WITH FUNCTION public.f(public.c);
CREATE TABLE public.t (x public.c);
CREATE VIEW public.v AS SELECT x::int AS y FROM public.t;
