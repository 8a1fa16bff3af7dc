CREATE DOMAIN public.email AS text CHECK (VALUE ~ '@');
CREATE TABLE public.people (address public.email NOT NULL, others public.email[]);
INSERT INTO public.people VALUES ('a@b', '{c@d}');
