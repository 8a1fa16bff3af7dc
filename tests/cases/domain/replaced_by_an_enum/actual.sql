CREATE DOMAIN public.mood AS text CHECK (VALUE IN ('sad', 'happy'));
CREATE TABLE public.people (id integer, mood public.mood DEFAULT 'sad');
INSERT INTO public.people VALUES (1, 'happy'), (2, DEFAULT), (3, NULL);
