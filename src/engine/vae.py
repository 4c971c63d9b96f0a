"""A variational autoencoder of images in 0..1 (Kingma & Welling, 2014), as replay from a generator uses it."""
import torch
from torch import nn
from torch.nn import functional as F


def loss(x, again, mu, logvar):
    """Reconstruction error, the binary cross-entropy, + KL of N(mu, exp(logvar)) from N(0, 1), both per pixel and the mean over the
    batch [B,P] (van de Ven et al., 2022)."""
    kl = -0.5 * (1 + logvar - mu.square() - logvar.exp()).sum(1)
    return F.binary_cross_entropy(again, x, reduction='none').mean(1).mean() + kl.mean() / x.shape[1]


class VAE(nn.Module):
    """Two hidden layers of ReLU either way: [B,P] images, P pixels, z latent variables."""

    def __init__(self, pixels, width=400, z=100):
        super().__init__()
        self.z = z
        self.encoder = nn.Sequential(nn.Linear(pixels, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 2 * z))
        self.decoder = nn.Sequential(nn.Linear(z, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, pixels), nn.Sigmoid())

    def forward(self, x):
        """(reconstruction [B,P], mu [B,z], logvar [B,z])."""
        mu, logvar = self.encoder(x).chunk(2, 1)
        return self.decoder(mu + torch.randn_like(mu) * (logvar / 2).exp()), mu, logvar

    def sample(self, count):
        """So many images [count,P], the decoder's probabilities for z ~ N(0, 1)."""
        with torch.no_grad():
            return self.decoder(torch.randn(count, self.z, device=next(self.parameters()).device))
