CREATE TYPE public.mood AS ENUM ('ok', 'happy');
CREATE TABLE public.days (id int, mood public.mood DEFAULT 'ok');
CREATE VIEW public.good_days AS SELECT id FROM public.days WHERE mood > 'ok';
