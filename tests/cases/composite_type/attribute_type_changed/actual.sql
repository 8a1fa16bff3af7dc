CREATE TYPE public.address AS (street text, zip varchar(5));
CREATE TABLE public.people (home public.address);
INSERT INTO public.people VALUES (ROW('High Street', '12345')), (NULL);
CREATE FUNCTION public.zip_of(a public.address) RETURNS text LANGUAGE sql AS 'SELECT ($1).zip';
