CREATE TABLE public.people (id integer PRIMARY KEY, email text, phone text, born date);
CREATE FUNCTION public.told(n integer) RETURNS integer LANGUAGE sql AS 'SELECT n';
SECURITY LABEL FOR guard ON TABLE public.people IS 'secret';
SECURITY LABEL FOR guard ON COLUMN public.people.email IS 'mask';
SECURITY LABEL FOR guard ON COLUMN public.people.born IS 'mask';
CREATE VIEW public.adults AS SELECT id, phone FROM public.people;
SECURITY LABEL FOR guard ON VIEW public.adults IS 'public';
