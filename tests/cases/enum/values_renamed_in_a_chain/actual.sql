CREATE TYPE public.e AS ENUM ('a', 'b', 'c');
CREATE TABLE public.t (id int, x public.e DEFAULT 'b');
INSERT INTO public.t VALUES (1, 'a'), (2, 'b'), (3, 'c');
