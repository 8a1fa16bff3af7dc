CREATE TABLE public.users (
    uid integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    mail text NOT NULL,
    age integer CONSTRAINT grown_up CHECK (age >= 18)
);
CREATE INDEX users_mail_idx ON public.users (lower(mail));
CREATE TABLE public.orders (id bigint PRIMARY KEY, owner integer NOT NULL REFERENCES public.users (uid));
ALTER TABLE public.users ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON public.users USING (mail = CURRENT_USER);
CREATE VIEW public.adults AS SELECT uid, mail FROM public.users WHERE age >= 18;
INSERT INTO public.users (mail, age) VALUES ('a@b', 20), ('c@d', 30);
INSERT INTO public.orders VALUES (1, 1), (2, 2);
