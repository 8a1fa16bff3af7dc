CREATE FUNCTION public.plus_one(n integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT n + 1';
CREATE TABLE public.t (a integer DEFAULT public.plus_one(1), CHECK (public.plus_one(a) > 0));
