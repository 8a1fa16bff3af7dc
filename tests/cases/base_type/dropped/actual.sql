CREATE TYPE public.later;
COMMENT ON TYPE public.later IS 'gone';
CREATE TYPE public.base;
CREATE FUNCTION public.base_in(cstring) RETURNS public.base
    LANGUAGE internal IMMUTABLE STRICT AS 'int4in';
CREATE FUNCTION public.base_out(public.base) RETURNS cstring
    LANGUAGE internal IMMUTABLE STRICT AS 'int4out';
CREATE FUNCTION public.base_typmod_in(cstring[]) RETURNS integer
    LANGUAGE internal IMMUTABLE STRICT AS 'varchartypmodin';
CREATE TYPE public.base (
    INPUT = public.base_in, OUTPUT = public.base_out, LIKE = integer, TYPMOD_IN = public.base_typmod_in
);
COMMENT ON TYPE public.base IS 'a number';
GRANT USAGE ON TYPE public.base TO pg_monitor;
CREATE FUNCTION public.twice(public.base) RETURNS public.base
    LANGUAGE internal IMMUTABLE STRICT AS 'int4um';
CREATE TABLE public.t (id integer, b public.base);
