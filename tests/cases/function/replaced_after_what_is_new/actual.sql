CREATE TABLE public.orders (id int PRIMARY KEY, amount int);
CREATE TABLE public.gone (id int PRIMARY KEY, amount int);
CREATE FUNCTION public.aaa() RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint';
CREATE FUNCTION public.uses_column() RETURNS bigint LANGUAGE sql
    AS 'SELECT count(*) FROM public.orders WHERE amount = 1';
CREATE FUNCTION public.uses_table() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM public.gone';
CREATE FUNCTION public.uses_function() RETURNS bigint LANGUAGE plpgsql
    AS 'BEGIN RETURN public.aaa(); END';
CREATE FUNCTION public.needed() RETURNS int LANGUAGE plpgsql
    AS 'BEGIN RETURN 1; END';
