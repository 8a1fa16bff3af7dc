CREATE TABLE public.orders (id int PRIMARY KEY, amount int);
INSERT INTO public.orders VALUES (1, 2);
CREATE FUNCTION public.total() RETURNS bigint LANGUAGE sql
    AS 'SELECT sum(amount) FROM public.orders';
