CREATE TABLE public.orders (id int PRIMARY KEY, amount int);
INSERT INTO public.orders VALUES (1, 2);
CREATE FUNCTION public.total() RETURNS bigint LANGUAGE sql
    AS 'SELECT sum(amount) FROM public.orders';
CREATE FUNCTION public.checked() RETURNS trigger LANGUAGE plpgsql
    AS 'BEGIN IF new.amount < 0 THEN RAISE ''negative''; END IF; RETURN new; END';
CREATE TRIGGER checked BEFORE INSERT OR UPDATE ON public.orders
    FOR EACH ROW EXECUTE FUNCTION public.checked();
CREATE FUNCTION public.helper() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION public.other() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE TYPE public.status AS ENUM ('new', 'paid');
CREATE FUNCTION public.first() RETURNS public.status LANGUAGE sql AS 'SELECT ''new''::public.status';
