CREATE TYPE public.mood AS ENUM ('bad', 'good');
CREATE TYPE public.span AS RANGE (SUBTYPE = float8);
CREATE TABLE public.t (id integer, m public.mood);
CREATE FUNCTION public.an_argument(m public.mood[]) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION public.the_result(int) RETURNS public.mood LANGUAGE sql
    AS $$SELECT 'bad'::public.mood$$;
CREATE FUNCTION public.a_column(int) RETURNS TABLE (a int, m public.mood) LANGUAGE sql
    AS $$SELECT 1, 'bad'::public.mood$$;
CREATE PROCEDURE public.do_it(m public.mood) LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION public.worse(public.mood, public.mood) RETURNS public.mood LANGUAGE sql
    AS 'SELECT least($1, $2)';
CREATE AGGREGATE public.worst(public.mood) (SFUNC = public.worse, STYPE = public.mood);
CREATE OPERATOR public.<%> (
    LEFTARG = public.mood, RIGHTARG = public.mood, FUNCTION = public.worse
);
CREATE FUNCTION public.grade(public.mood) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE CAST (public.mood AS int) WITH FUNCTION public.grade(public.mood);
CREATE FUNCTION public.spans(public.span_multirange) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE TABLE public.gone (id serial PRIMARY KEY);
CREATE FUNCTION public.of_row(public.gone) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION public.stays(t public.t) RETURNS int LANGUAGE sql AS 'SELECT 1';
