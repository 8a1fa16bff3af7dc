CREATE TABLE public.orders (id int PRIMARY KEY, amount int, spare int);
CREATE TABLE public.gone (id int PRIMARY KEY, amount int);
CREATE INDEX named_by_none ON public.orders (amount);
CREATE FUNCTION public.counted(a int) RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint';
CREATE FUNCTION public.counted(a text) RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint';
CREATE FUNCTION public.next_one() RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint';
CREATE FUNCTION public.of_column() RETURNS bigint LANGUAGE sql
    AS 'SELECT count(*) FROM public.orders WHERE amount = 1';
CREATE FUNCTION public.of_table() RETURNS bigint LANGUAGE plpgsql
    AS 'BEGIN RETURN (SELECT count(*) FROM public."gone"); END';
CREATE FUNCTION public.of_function() RETURNS bigint LANGUAGE plpgsql
    AS 'BEGIN RETURN public.next_one() + public.counted(1); END';
CREATE FUNCTION public.of_trigger() RETURNS trigger LANGUAGE plpgsql
    AS 'BEGIN new.amount := 1; RETURN new; END';
CREATE TRIGGER filled BEFORE INSERT ON public.orders
    FOR EACH ROW EXECUTE FUNCTION public.of_trigger();
CREATE FUNCTION public.of_other_amounts() RETURNS bigint LANGUAGE sql
    AS 'SELECT sum(amount) FROM (VALUES (1)) AS v(amount)';
CREATE FUNCTION public.dropped_as_well() RETURNS bigint LANGUAGE sql
    AS 'SELECT count(*) FROM public.gone';
