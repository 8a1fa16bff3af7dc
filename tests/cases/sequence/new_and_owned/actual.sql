CREATE TABLE public.t (id int);
CREATE SEQUENCE public.old OWNED BY public.t.id;
