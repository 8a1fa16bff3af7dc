CREATE DOMAIN public.email AS text;
CREATE DOMAIN public.price AS numeric(10,2);
CREATE TYPE public.contact AS (email public.email, note text);
CREATE TABLE public.people (
    id integer PRIMARY KEY, email public.email, emails public.email[], owed public.price,
    contact public.contact);
INSERT INTO public.people VALUES (1, 'ann', '{ann}', 1.25, ROW('ann', ''));
