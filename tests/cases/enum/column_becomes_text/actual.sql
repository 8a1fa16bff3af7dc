CREATE TYPE public.mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE public.days (id int PRIMARY KEY, mood public.mood);
INSERT INTO public.days VALUES (1, 'happy');
